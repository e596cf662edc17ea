// What a reader chose on a page, kept in its address, so that it can be shared, come back to and reloaded.

import { useSearchParams } from "react-router";

/** Puts some values into the page's address in place of what it is; "" and an empty list take a name out of it. */
export function useAddressSetter(): (some: Record<string, string | readonly string[]>) => void {
  const [, setParams] = useSearchParams();
  return (some) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        for (const [name, value] of Object.entries(some)) {
          if (typeof value === "string" && value !== "") next.set(name, value);
          else next.delete(name);
          if (typeof value !== "string") for (const one of value) next.append(name, one);
        }
        return next;
      },
      { replace: true, preventScrollReset: true },
    );
}

/** The chosen values by name and a setter of some of them; a value equal to its default is left out of the address. */
export function useAddress<K extends string>(defaults: Record<K, string>): [Record<K, string>, (some: Partial<Record<K, string>>) => void] {
  const [params] = useSearchParams();
  const put = useAddressSetter();
  const names = Object.keys(defaults) as K[];
  const chosen = Object.fromEntries(names.map((name) => [name, params.get(name) ?? defaults[name]])) as Record<K, string>;
  const choose = (some: Partial<Record<K, string>>) =>
    put(Object.fromEntries((Object.entries(some) as [K, string][]).map(([name, value]) => [name, value === defaults[name] ? "" : value])));
  return [chosen, choose];
}
