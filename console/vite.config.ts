import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    // The layer's package, which the portal serves file by file: one flat folder.
    outDir: "layer/python/mlops_console",
    emptyOutDir: true,
    assetsDir: "",
    target: "es2023",
    // Nothing inline: the content policy allows files only.
    assetsInlineLimit: 0,
    modulePreload: false,
    // Names that stay the same would let a browser mix two versions of the console.
    rolldownOptions: { output: { entryFileNames: "[name]-[hash].js", chunkFileNames: "[name]-[hash].js" } },
  },
  experimental: {
    // The page is at …/console, its files below …/console/, with a stage's name before both on AWS.
    renderBuiltUrl: (file, { hostType }) => (hostType === "html" ? `console/${file}` : { relative: true }),
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.{ts,tsx}"] },
});
