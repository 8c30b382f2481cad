/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { onlyLayered } from "./elk.ts";
import { compressed, listed, withoutStylesOf } from "./light.ts";

const server = process.env.IA_MODULES_SERVER ?? "http://127.0.0.1:5555"; // where `npm run dev` finds the API

/** Components of Mantine; the build says when one of them is used after all. */
const UNUSED = [
  ...["Accordion", "AngleSlider", "AspectRatio", "Avatar", "BackgroundImage", "Blockquote", "Breadcrumbs", "Card"],
  ...["Cascader", "DataList", "Dialog", "EmptyState", "Marquee", "Menubar", "Pagination", "PinInput", "Rating"],
  ...["RingProgress", "RollingNumber", "Scroller", "SemiCircleProgress", "Splitter", "Spoiler", "Stepper"],
  ...["TableOfContents", "ThemeIcon", "Timeline", "Toggle", "Toolbar", "Tour", "Tree", "TreeSelect", "Typography"],
];

export default defineConfig({
  base: "./", // the server says below which path the pages are
  plugins: [react(), withoutStylesOf(UNUSED), listed(), compressed()],
  resolve: {
    alias: {
      "@": fileURLToPath(new URL("./src", import.meta.url)),
      // @rjsf/core imports it for its own tests only; it is not installed, since ajv needs eval.
      "@rjsf/validator-ajv8": fileURLToPath(new URL("./src/domain/json-schema-validator.ts", import.meta.url)),
    },
  },
  server: {
    host: "127.0.0.1",
    port: 5556,
    proxy: Object.fromEntries(
      ["/api", "/ws", "/health", "/docs", "/openapi.json"].map((path) => [path, { target: server, ws: true }]),
    ),
  },
  worker: { format: "es", plugins: () => [onlyLayered()] },
  build: {
    rolldownOptions: { checks: { pluginTimings: false } },
    manifest: true, // which file is made of which, for scripts/page_sizes.py
    target: "es2023",
    // The first that know light-dark(); for older ones it would be rewritten so that Mantine's colour scheme is not seen.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    chunkSizeWarningLimit: 1700, // elk, which lays graphs out, is one large chunk of its own
  },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/mocks/setup.ts"],
    testTimeout: 60_000,
    server: { deps: { inline: [/@rjsf/] } }, // so that the alias above is known there too
  },
});
