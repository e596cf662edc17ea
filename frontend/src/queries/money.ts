// A project's money: one answer for the page.

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey } from "@/api/client";

export const BY = ["step", "pipeline", "pool", "member", "run", "label"] as const;
export type By = (typeof BY)[number];

export interface MoneyAsk {
  by: By;
  label: string;
  since: string;
}

export function useMoney(project: string, ask: MoneyAsk) {
  return useQuery({
    queryKey: ["money", project, ask],
    queryFn: () =>
      bodyOf(
        api.GET("/api/v1/projects/{ref}/money", {
          params: { path: { ref: project }, query: { by: ask.by, since: ask.since, ...(ask.by === "label" && ask.label ? { label: ask.label } : {}) } },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  });
}

export function useCloseMonth(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (month: string) =>
      bodyOf(
        api.POST("/api/v1/projects/{ref}/money/months", { params: { path: { ref: project } }, body: { month }, headers: { "Idempotency-Key": idempotencyKey() } }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["money", project] }),
  });
}
