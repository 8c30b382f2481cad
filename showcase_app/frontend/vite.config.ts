/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env.IA_MODULES_SERVER ?? "http://127.0.0.1:5555"; // where `npm run dev` finds the API

export default defineConfig({
  plugins: [react()],
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
  worker: { format: "es" },
  build: {
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
