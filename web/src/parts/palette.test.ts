import { expect, it } from "vitest";
import { matching } from "./Palette";

const targets = ["Logs", "catalogs", "cart", "system.cpu.time"].map((title) => ({
  title,
  kind: "thing",
  run: () => {},
}));
const titles = (text: string) => matching(targets, text).map(({ title }) => title);

it("needs every word and prefers beginnings", () => {
  expect(titles("log")).toEqual(["Logs", "catalogs"]);
  expect(titles("cpu sys")).toEqual(["system.cpu.time"]);
  expect(titles("nothing")).toEqual([]);
  expect(titles("")).toHaveLength(4);
});
