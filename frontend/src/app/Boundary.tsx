// What is shown where a page failed while drawing. The rest of the frame stays, and another address tries anew.

import { Alert, Code, Text } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "react-router";
import { plain } from "@/lib/format";

export function Boundary({ children }: { children: ReactNode }) {
  const { key } = useLocation();
  return <Caught visit={key}>{children}</Caught>;
}

interface State {
  /** Wrapped, for anything at all may be thrown. */
  failure: { error: unknown } | null;
  visit: string;
}

class Caught extends Component<{ visit: string; children: ReactNode }, State> {
  override state: State = { failure: null, visit: this.props.visit };

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { failure: { error } };
  }

  static getDerivedStateFromProps({ visit }: { visit: string }, state: State): State | null {
    return visit === state.visit ? null : { failure: null, visit };
  }

  override render() {
    return this.state.failure ? <PageError error={this.state.failure.error} /> : this.props.children;
  }
}

function PageError({ error }: { error: unknown }) {
  const { t } = useTranslation();
  return (
    <Alert color="red" title={t("problem.crashed")} m="md" role="alert">
      <Text size="sm">{t("problem.crashedNext")}</Text>
      <Code block mt="xs">
        {plain(error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error)).slice(0, 2000)}
      </Code>
    </Alert>
  );
}
