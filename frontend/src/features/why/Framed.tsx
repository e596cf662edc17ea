import { Paper, Stack, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** Something to look at first, on the page's own ground so that small print stays readable; the colour is only a mark. */
export function Framed({ title, color, children }: { title: string; color: string; children: ReactNode }) {
  return (
    <Paper withBorder p="sm" component="section" aria-label={title} style={{ borderLeft: `4px solid var(--mantine-color-${color}-6)` }}>
      <Stack gap="xs">
        <Title order={4} size="sm">{title}</Title>
        {children}
      </Stack>
    </Paper>
  );
}
