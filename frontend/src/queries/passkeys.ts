// The ways into my account and where they were used: passkeys, and the browsers I am signed in with.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import { passkeyCreate, passkeyGet } from "@/lib/passkey";
import { accountKey } from "./account";

function useAccountDeed<A, R>(deed: (asked: A) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: deed, onSuccess: () => client.invalidateQueries({ queryKey: accountKey }) });
}

export function useSessionEnd() {
  return useAccountDeed((id: string) => bodyOf(api.DELETE("/api/v1/me/sessions/{id}", { params: { path: { id } } })));
}

export function useSessionsEndOthers() {
  return useAccountDeed((_: void) => bodyOf(api.POST("/api/v1/me/sessions/end-others")));
}

export function usePasskeyAdd() {
  return useAccountDeed(async ({ name, password }: { name: string; password: string }) => {
    const asked = await bodyOf(api.POST("/api/v1/me/passkeys/begin", { body: { password } }));
    return bodyOf(api.POST("/api/v1/me/passkeys", { body: { name, credential: await passkeyCreate(asked.public_key) } }));
  });
}

export function usePasskeyRename() {
  return useAccountDeed(({ id, name }: { id: string; name: string }) => bodyOf(api.PATCH("/api/v1/me/passkeys/{id}", { params: { path: { id } }, body: { name } })));
}

export function usePasskeyRemove() {
  return useAccountDeed(({ id, password }: { id: string; password: string }) => bodyOf(api.POST("/api/v1/me/passkeys/{id}/remove", { params: { path: { id } }, body: { password } })));
}

/** With a passkey alone, or behind the password of who is named. */
export function usePasskeySignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (who?: { username: string; password: string }) => {
      const asked = await bodyOf(api.POST("/api/v1/login/passkey/options"));
      const credential = await passkeyGet(asked.public_key);
      return who ? bodyOf(api.POST("/api/v1/login", { body: { ...who, code: "", passkey: credential } })) : bodyOf(api.POST("/api/v1/login/passkey", { body: { credential } }));
    },
    onSuccess: () => client.invalidateQueries(), // as after a password: an unsent edit stays
  });
}
