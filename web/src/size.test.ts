// The page's promises about its size and what it is made of.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const DEPENDENCIES_MAX = 10;
const GZIPPED_BYTES_MAX = 150_000;

const read = (path: string) => readFileSync(join(root, path), "utf8");

it("has at most ten runtime dependencies", () => {
  const manifest = JSON.parse(read("package.json")) as { dependencies: object };
  const lock = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(DEPENDENCIES_MAX);
  // With everything that they bring along.
  const installed = Object.entries(lock.packages).filter(
    ([path, entry]) => path !== "" && !entry.dev && !entry.devOptional,
  );
  expect(installed.length).toBeLessThanOrEqual(DEPENDENCIES_MAX);
});

it("names no registry in the lock file", () => {
  expect(read("package-lock.json")).not.toMatch(/"resolved"|registry\./);
});

it("loads in less than 150 kB, all of it from its own origin", async () => {
  // Built afresh: what lies in dist may be older than the sources.
  const outDir = mkdtempSync(join(tmpdir(), "fresnel-web-"));
  const mode = process.env.NODE_ENV;
  process.env.NODE_ENV = "production";
  try {
    await build({ root, mode: "production", logLevel: "error", build: { outDir, emptyOutDir: true } });
    const files = readdirSync(join(outDir, "assets")).filter((name) => /\.(js|css)$/.test(name));
    const sizes = files.map(
      (name) => gzipSync(readFileSync(join(outDir, "assets", name)), { level: 9 }).length,
    );
    const total = sizes.reduce((sum, size) => sum + size, 0);
    process.stdout.write(`JS and CSS, gzipped: ${total} bytes of at most ${GZIPPED_BYTES_MAX}\n`);
    expect(files.length).toBeGreaterThan(1);
    expect(total).toBeLessThan(GZIPPED_BYTES_MAX);
    const html = readFileSync(join(outDir, "index.html"), "utf8");
    expect(html).not.toMatch(/https?:\/\/|<style|style=|<script>/);
  } finally {
    process.env.NODE_ENV = mode;
    rmSync(outDir, { recursive: true, force: true });
  }
}, 60_000);
