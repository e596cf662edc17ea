// Price books, for administrators: all pools' versions, a new one with what it changes, and CSV in.

import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf, idempotencyKey, type Schemas } from "@/api/client";
import { cursorOf } from ".";

export type PriceBook = Schemas["PriceBookOut"];
export type PriceVersion = Schemas["PriceVersionOut"];
export type PricePreview = Schemas["PricePreviewOut"];
export type PriceAsk = Schemas["PriceCreateRequest"];

const books = ["price-books"] as const;

export function usePriceBooks() {
  return useInfiniteQuery({
    queryKey: books,
    queryFn: ({ pageParam }) => bodyOf(api.GET("/api/v1/admin/prices", { params: { query: { page_size: 50, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => cursorOf(page.next),
  });
}

/** What a version that is being typed would change; null: it cannot be sent yet. */
export function usePricePreview(pool: string, ask: PriceAsk | null) {
  return useQuery({
    queryKey: ["price-preview", pool, ask],
    queryFn: () => bodyOf(api.POST("/api/v1/pools/{id}/prices/preview", { params: { path: { id: pool } }, body: ask ?? {} })),
    enabled: ask !== null,
    placeholderData: keepPreviousData,
    retry: false,
  });
}

export function usePriceMake(pool: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: PriceAsk) => bodyOf(api.POST("/api/v1/pools/{id}/prices", { params: { path: { id: pool } }, headers: { "Idempotency-Key": idempotencyKey() }, body })),
    onSuccess: () => client.invalidateQueries({ queryKey: books }),
  });
}

export function usePricesLoad() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { csv: string; check: boolean }) => bodyOf(api.POST("/api/v1/admin/prices/csv", { headers: { "Idempotency-Key": idempotencyKey() }, body })),
    onSuccess: (_, asked) => (asked.check ? undefined : client.invalidateQueries({ queryKey: books })),
  });
}
