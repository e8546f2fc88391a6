/** The entry: connects the browser and draws the application. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { App } from "./app";
import { startHold } from "./hold";
import { startKeys } from "./keys";
import { startRouter } from "./router";
import { startTheme } from "./theme";

startTheme();
startRouter();
startHold();
startKeys();
const root = document.getElementById("app");
if (root) render(<App />, root);
