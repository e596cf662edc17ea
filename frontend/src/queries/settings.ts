// The project page: one answer, and where each of its lists goes on. What is done there makes its key old.

import { useQuery } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

export const settingsKey = (project: string) => ["settings", project] as const;

export function useSettings(project: string) {
  return useQuery({
    queryKey: settingsKey(project),
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/settings", { params: { path: { ref: project } } })),
  });
}

export const membersAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/projects/{ref}/members", { params: { path: { ref: project }, query: { cursor } } }));
export const projectTokensAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/projects/{ref}/tokens", { params: { path: { ref: project }, query: { cursor } } }));
export const linksAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/projects/{ref}/links", { params: { path: { ref: project }, query: { cursor } } }));
