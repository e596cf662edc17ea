// My account page: one answer, and the key that what is done there makes old.

import { useQuery } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

export const accountKey = ["account"] as const;

export function useAccount() {
  return useQuery({ queryKey: accountKey, queryFn: () => bodyOf(api.GET("/api/v1/me/overview")) });
}

export const tokensAfter = (cursor: string) => bodyOf(api.GET("/api/v1/tokens", { params: { query: { cursor } } }));
