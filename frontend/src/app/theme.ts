// Colours and type of every page. Text keeps a contrast of 4.5 to 1 to what it stands on, in light and dark (axe looks at
// every page in `make e2e`): where Mantine's own shades are fainter, ours are set here, once.

import { createTheme, Loader, type CSSVariablesResolver } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: "md",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'PingFang SC', 'Microsoft YaHei', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  components: { Loader: Loader.extend({ defaultProps: { role: "status" } }) },
});

// The words of light badges and alerts, on a tenth of their own colour.
const ON_LIGHT = {
  green: "#1b5e2b", teal: "#05573e", lime: "#3f6212", yellow: "#6b3a00", orange: "#8a2c00", red: "#a01111", cyan: "#095866", pink: "#8f1b48",
};

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "var(--mantine-color-gray-7)",
    "--mantine-color-error": "var(--mantine-color-red-9)",
    ...Object.fromEntries(Object.entries(ON_LIGHT).map(([name, value]) => [`--mantine-color-${name}-light-color`, value])),
  },
  dark: { "--mantine-color-dimmed": "var(--mantine-color-dark-1)", "--mantine-color-error": "var(--mantine-color-red-4)" },
});
