// What keeps the pages from being up to date, and that they go on by themselves: no network, a server that does not
// answer, one that asks for a pause. Gone as soon as it is over.

import { Alert } from "@mantine/core";
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, isTransient } from "@/api/problem";

type State = "" | "offline" | "busy";

function stateOf(client: QueryClient): State {
  if (!navigator.onLine) return "offline";
  let found: State = "";
  for (const query of client.getQueryCache().getAll()) {
    const { fetchFailureCount, fetchFailureReason, fetchStatus } = query.state;
    if (fetchFailureCount === 0 || fetchStatus === "idle" || !isTransient(fetchFailureReason)) continue;
    if (asProblem(fetchFailureReason).status !== 429) return "offline";
    found = "busy";
  }
  return found;
}

export function Trouble() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const subscribe = useCallback(
    (changed: () => void) => {
      const stop = client.getQueryCache().subscribe(changed);
      window.addEventListener("online", changed);
      window.addEventListener("offline", changed);
      return () => {
        stop();
        window.removeEventListener("online", changed);
        window.removeEventListener("offline", changed);
      };
    },
    [client],
  );
  const state = useSyncExternalStore(subscribe, () => stateOf(client));
  if (state === "") return null;
  return (
    <Alert color="yellow" mb="md" role="status" title={t(state === "busy" ? "problem.busy" : "problem.offline")}>
      {t("problem.offlineNext")}
    </Alert>
  );
}
