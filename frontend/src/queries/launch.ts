// The launch page: one answer it opens with, and one for the form as it is filled in.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, bodyOf, type Schemas } from "@/api/client";

export const launchKey = (project: string) => ["launch", project] as const;

/** `pipeline`, `run`: what the form is to begin with; empty: nothing. */
export function useLaunch(project: string, pipeline: string, run: string) {
  return useQuery({
    queryKey: [...launchKey(project), pipeline, run],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/launch", { params: { path: { ref: project }, query: { ...(pipeline ? { pipeline } : {}), ...(run ? { run } : {}) } } })),
  });
}

export const pipelinesAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/pipelines", { params: { query: { project, page_size: 100, cursor } } }));
export const datasetsAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/datasets", { params: { query: { project, page_size: 100, cursor } } }));

/** The generator counts what has a default as required; a client need not send it. */
export type LaunchAsk = Partial<Schemas["LaunchCheckBodyRequest"]>;

/** What is wrong with the form, its parameters, its picture and its quote. */
export function useLaunchCheck(project: string, ask: LaunchAsk | null) {
  return useQuery({
    queryKey: ["launch-check", project, ask],
    queryFn: ({ signal }) => bodyOf(api.POST("/api/v1/projects/{ref}/launch/check", { params: { path: { ref: project } }, body: ask as Schemas["LaunchCheckBodyRequest"], signal })),
    enabled: ask !== null,
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 15_000,
  });
}
