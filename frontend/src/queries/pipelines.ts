// A pipeline's page: its versions, the text of the one looked at, and that of the one it is held against.

import { useQuery } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

export const pipelineKey = (id: string) => ["pipeline", id] as const;

export function usePipelinePage(id: string, version: number | null, against: number | null) {
  return useQuery({
    queryKey: [...pipelineKey(id), version ?? "newest", against ?? 0],
    queryFn: () => bodyOf(api.GET("/api/v1/pipelines/{id}/overview", { params: { path: { id }, query: { ...(version ? { version } : {}), ...(against ? { against } : {}) } } })),
    placeholderData: (before) => (before?.pipeline.id === id ? before : undefined),
  });
}

export const versionsAfter = (id: string) => (cursor: string) => bodyOf(api.GET("/api/v1/pipelines/{id}/versions", { params: { path: { id }, query: { page_size: 50, cursor } } }));
