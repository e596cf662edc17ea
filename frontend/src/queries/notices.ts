// What a person is told of: the bell, the list, the rules; and a project's webhooks.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";

const ALL = ["notices"] as const;
const once = () => ({ "Idempotency-Key": idempotencyKey() });

export function useBell() {
  // Live by the stream for the project shown; the interval brings what concerns other projects and the installation.
  return useQuery({ queryKey: [...ALL, "bell"], queryFn: () => bodyOf(api.GET("/api/v1/notices/bell")), refetchInterval: 60_000 });
}

/** The page: mine of all projects, my rules, and the webhooks of the project shown. */
export const noticesKey = (project: string) => [...ALL, "page", project] as const;

export function useNotices(project: string) {
  return useQuery({ queryKey: noticesKey(project), queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/notices", { params: { path: { ref: project } } })) });
}

export const noticesAfter = (cursor: string) => bodyOf(api.GET("/api/v1/notices", { params: { query: { page_size: 50, cursor } } }));
export const webhooksAfter = (project: string) => (cursor: string) => bodyOf(api.GET("/api/v1/projects/{ref}/webhooks", { params: { path: { ref: project }, query: { page_size: 50, cursor } } }));

export function useRead() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (ids?: string[]) => bodyOf(api.POST("/api/v1/notices/read", { body: ids ? { ids } : {} })),
    onSuccess: () => client.invalidateQueries({ queryKey: ALL }),
  });
}

export function useSetRules() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["PatchedRulesChangeRequest"]) => bodyOf(api.PATCH("/api/v1/notices/rules", { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: [...ALL, "page"] }), // awaited: the boxes stay shut until they show it
  });
}

export function useTestNotice() {
  const client = useQueryClient();
  return useMutation({ mutationFn: () => api.POST("/api/v1/notices/test"), onSuccess: () => client.invalidateQueries({ queryKey: ALL }) });
}

export function useMessages(project: string, id: string) {
  return useQuery({
    queryKey: [...noticesKey(project), "messages", id],
    queryFn: () => bodyOf(api.GET("/api/v1/projects/{ref}/webhooks/{id}/messages", { params: { path: { ref: project, id }, query: { page_size: 20 } } })),
    enabled: id !== "",
    refetchInterval: 5_000,
  });
}

export type HookDeed =
  | { do: "create"; body: Schemas["WebhookCreateRequest"] }
  | { do: "rotate"; id: string }
  | { do: "test"; id: string }
  | { do: "remove"; id: string }
  | { do: "switch"; id: string; active: boolean }
  | { do: "resend"; id: string; message: string };

/** Does one thing to a webhook; the answer of a making or a rotation has the secret. */
export function useHookDeed(project: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (deed: HookDeed): Promise<string | null> => {
      const path = { ref: project };
      if (deed.do === "create") return (await bodyOf(api.POST("/api/v1/projects/{ref}/webhooks", { params: { path }, body: deed.body, headers: once() }))).secret;
      const one = { ref: project, id: deed.id };
      if (deed.do === "rotate") return (await bodyOf(api.POST("/api/v1/projects/{ref}/webhooks/{id}/secret", { params: { path: one }, headers: once() }))).secret;
      if (deed.do === "test") await api.POST("/api/v1/projects/{ref}/webhooks/{id}/test", { params: { path: one }, headers: once() });
      else if (deed.do === "remove") await api.DELETE("/api/v1/projects/{ref}/webhooks/{id}", { params: { path: one } });
      else if (deed.do === "switch") await api.PATCH("/api/v1/projects/{ref}/webhooks/{id}", { params: { path: one, header: { "If-Match": "*" } }, body: { active: deed.active } });
      else await api.POST("/api/v1/projects/{ref}/webhooks/{id}/messages/{message}/resend", { params: { path: { ...one, message: deed.message } }, headers: once() });
      return null;
    },
    onSuccess: () => client.invalidateQueries({ queryKey: noticesKey(project) }),
  });
}
