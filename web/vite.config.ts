// One entry, hashed assets, no inline code: the page runs under `default-src 'self'`.
import { defineConfig } from "vitest/config";

// In development the API comes from a server that is already running, or from the mock.
const api = process.env.FRESNEL_URL ?? "http://127.0.0.1:4390";
const proxied = ["/api", "/healthz", "/livez", "/readyz", "/metrics", "/prometheus"];

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: { include: ["src/**/*.test.ts"] },
  server: {
    proxy: Object.fromEntries(
      proxied.map((path) => [
        path,
        // The page itself lives at `/metrics` too: a browser that asks for HTML gets the page.
        {
          target: api,
          bypass: (req) => (req.headers.accept?.includes("text/html") ? "/index.html" : undefined),
        },
      ]),
    ),
  },
});
