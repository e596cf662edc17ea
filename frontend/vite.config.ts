/// <reference types="vitest/config" />
import { fileURLToPath, URL } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The server's address while developing: `FUBINI_URL=http://127.0.0.1:8765 npm run dev`.
const server = process.env.FUBINI_URL ?? "http://127.0.0.1:8765";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { proxy: { "/api": server, "/static": server } },
  build: { target: "es2022", sourcemap: false, chunkSizeWarningLimit: 700 },
  test: { include: ["src/**/*.test.{ts,tsx}"] },
});
