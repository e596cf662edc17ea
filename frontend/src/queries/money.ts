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

/** What the pools that serve a project ask, now and next. */
export function useProjectPrices(project: string) {
  return useQuery({
    queryKey: ["project-prices", project],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/prices", { params: { path: { ref: project } } })),
  });
}

export const BY_OF_MEMBER = ["step", "pool", "pipeline", "run"] as const;
export type ByOfMember = (typeof BY_OF_MEMBER)[number];

/** What one member's runs cost. */
export function useSpend(project: string, ask: { by: ByOfMember; since: string; member: string }) {
  return useQuery({
    queryKey: ["spend", project, ask],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/money/spend", { params: { path: { ref: project }, query: ask } })),
    placeholderData: keepPreviousData,
    enabled: ask.member !== "",
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
