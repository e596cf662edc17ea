// Schedules of a project: their page, one of them with its history, what a form's lines mean, and what is done to them.

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";

export const schedulesKey = (project: string) => ["schedules", project] as const;
const oneKey = (id: string) => ["schedule", id] as const;
const AGAIN_MS = 15_000; // a tick comes by itself

export function useSchedules(project: string) {
  return useQuery({ queryKey: schedulesKey(project), queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/schedules", { params: { path: { ref: project } } })), refetchInterval: AGAIN_MS });
}

export const schedulesAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/crons", { params: { query: { project, cursor } } }));

export function useSchedule(id: string) {
  return useQuery({ queryKey: oneKey(id), queryFn: () => bodyOf(api.GET("/api/v1/crons/{id}/overview", { params: { path: { id } } })), refetchInterval: AGAIN_MS });
}

/** What lines mean, while they are written. */
export function usePreview(schedules: string[], timezone: string) {
  return useQuery({
    queryKey: ["schedule-preview", schedules, timezone],
    queryFn: () => bodyOf(api.POST("/api/v1/crons/preview", { body: { schedules, timezone } })),
    placeholderData: keepPreviousData,
  });
}

/** Names to choose from, asked for when a form is opened. */
export function usePipelineNames(project: string, enabled: boolean) {
  return useQuery({ queryKey: ["pipeline-names", project], queryFn: () => bodyOf(api.GET("/api/v1/pipelines", { params: { query: { project, page_size: 200 } } })), enabled });
}

function useDeed<A, R>(project: string, deed: (asked: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: deed,
    onSuccess: () => Promise.all([client.invalidateQueries({ queryKey: schedulesKey(project) }), client.invalidateQueries({ queryKey: ["schedule"] })]),
  });
}

export function useScheduleMake(project: string) {
  return useDeed(project, (body: Omit<Schemas["CronSaveRequest"], "project">) => bodyOf(api.POST("/api/v1/crons", { body: { project, ...body }, headers: { "Idempotency-Key": idempotencyKey() } })));
}

export function useScheduleChange(project: string) {
  return useDeed(project, ({ id, manifest }: { id: string; manifest: string }) => bodyOf(api.PUT("/api/v1/crons/{id}", { params: { path: { id } }, body: { manifest } })));
}

export function useScheduleSwitch(project: string) {
  return useDeed(project, ({ id, on }: { id: string; on: boolean }) =>
    on ? bodyOf(api.POST("/api/v1/crons/{id}/resume", { params: { path: { id } } })) : bodyOf(api.POST("/api/v1/crons/{id}/suspend", { params: { path: { id } } })),
  );
}

export function useScheduleRun(project: string) {
  return useDeed(project, (id: string) => bodyOf(api.POST("/api/v1/crons/{id}/run", { params: { path: { id } }, headers: { "Idempotency-Key": idempotencyKey() } })));
}

export function useScheduleDelete(project: string) {
  return useDeed(project, (id: string) => bodyOf(api.DELETE("/api/v1/crons/{id}", { params: { path: { id } } })));
}
