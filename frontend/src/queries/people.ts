// Who may do what: members and machine tokens of a project, my own account and tokens, users of the installation.

import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import { cursorOf, keys } from ".";
import { accountKey } from "./account";
import { settingsKey } from "./settings";

export const ROLES = ["viewer", "member", "maintainer", "owner"] as const satisfies readonly Schemas["MemberAddRequest"]["role"][];
export type Role = (typeof ROLES)[number];
/** No ETag was read: the last word wins, as a role or a switch has no half-made edit to lose. */
const ANY = { "If-Match": "*" };

function useDeed<A, R>(key: readonly unknown[], deed: (asked: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: deed, onSuccess: () => client.invalidateQueries({ queryKey: key }) });
}

export function useMemberAdd(project: string) {
  return useDeed(settingsKey(project), (body: { username: string; role: Role }) =>
    bodyOf(api.POST("/api/v1/projects/{ref}/members", { params: { path: { ref: project } }, body, headers: { "Idempotency-Key": idempotencyKey() } })),
  );
}

export function useMemberChange(project: string) {
  return useDeed(settingsKey(project), ({ username, role }: { username: string; role: Role }) =>
    bodyOf(api.PATCH("/api/v1/projects/{ref}/members/{username}", { params: { path: { ref: project, username } }, headers: ANY, body: { role } })),
  );
}

export function useMemberRemove(project: string) {
  return useDeed(settingsKey(project), (username: string) => bodyOf(api.DELETE("/api/v1/projects/{ref}/members/{username}", { params: { path: { ref: project, username } } })));
}

export function useProjectTokenMake(project: string) {
  return useDeed(settingsKey(project), (body: Schemas["ProjectTokenCreateRequest"]) =>
    bodyOf(api.POST("/api/v1/projects/{ref}/tokens", { params: { path: { ref: project } }, body, headers: { "Idempotency-Key": idempotencyKey() } })),
  );
}

export function useProjectTokenRevoke(project: string) {
  return useDeed(settingsKey(project), (id: string) => bodyOf(api.DELETE("/api/v1/projects/{ref}/tokens/{id}", { params: { path: { ref: project, id } } })));
}

export function useMyTokenMake() {
  return useDeed(accountKey, (body: Schemas["TokenCreateRequest"]) => bodyOf(api.POST("/api/v1/tokens", { body, headers: { "Idempotency-Key": idempotencyKey() } })));
}

export function useMyTokenRevoke() {
  return useDeed(accountKey, (id: string) => bodyOf(api.DELETE("/api/v1/tokens/{id}", { params: { path: { id } } })));
}

export function useMeChange() {
  return useDeed(keys.me, (body: Partial<Schemas["PatchedMeChangeRequest"]>) => bodyOf(api.PATCH("/api/v1/me", { headers: ANY, body })));
}

export function usePasswordChange() {
  return useDeed(accountKey, (body: { current: string; password: string }) => bodyOf(api.POST("/api/v1/me/password", { body })));
}

const users = ["users"] as const;

export function useUsers(search: string) {
  return useInfiniteQuery({
    queryKey: [...users, search],
    queryFn: ({ pageParam }) => bodyOf(api.GET("/api/v1/users", { params: { query: { page_size: 50, ...(search ? { search } : {}), ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => cursorOf(page.next),
  });
}

export function useUserMake() {
  return useDeed(users, (body: Partial<Schemas["UserCreateRequest"]> & { username: string }) =>
    bodyOf(api.POST("/api/v1/users", { body: body as Schemas["UserCreateRequest"], headers: { "Idempotency-Key": idempotencyKey() } })),
  );
}

export function useUserChange() {
  return useDeed(users, ({ username, ...body }: { username: string } & Partial<Schemas["PatchedUserChangeRequest"]>) =>
    bodyOf(api.PATCH("/api/v1/users/{username}", { params: { path: { username } }, headers: ANY, body })),
  );
}

export function useUserPassword() {
  return useDeed(users, ({ username, password }: { username: string; password: string }) =>
    bodyOf(api.POST("/api/v1/users/{username}/password", { params: { path: { username } }, body: { password } })),
  );
}

export interface TrailFilter {
  actor?: string;
  action?: string;
  target?: string;
}

export function useTrail(filter: TrailFilter) {
  return useInfiniteQuery({
    queryKey: ["trail", filter],
    queryFn: ({ pageParam }) => bodyOf(api.GET("/api/v1/audit", { params: { query: { page_size: 50, ...filter, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => cursorOf(page.next),
  });
}

export function useTrailCheck() {
  return useMutation({ mutationFn: () => bodyOf(api.GET("/api/v1/audit/check")) });
}

export function useStatus() {
  return useQuery({ queryKey: ["status"], queryFn: () => bodyOf(api.GET("/api/v1/status")), refetchInterval: 5_000 });
}

export function useFactorBegin() {
  return useMutation({ mutationFn: () => bodyOf(api.POST("/api/v1/me/second-factor")) });
}

export function useFactorConfirm() {
  return useDeed(accountKey, (code: string) => bodyOf(api.POST("/api/v1/me/second-factor/confirm", { body: { code } })));
}

export function useFactorDrop() {
  return useDeed(accountKey, (password: string) => bodyOf(api.POST("/api/v1/me/second-factor/drop", { body: { password } })));
}

export function useFactorReset() {
  return useDeed(users, (username: string) => bodyOf(api.DELETE("/api/v1/users/{username}/second-factor", { params: { path: { username } } })));
}
