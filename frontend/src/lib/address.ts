// What a reader chose on a page, kept in its address, so that it can be shared, come back to and reloaded.

import { useSearchParams } from "react-router";

/** The chosen values by name and a setter of some of them; a value equal to its default is left out of the address. */
export function useAddress<K extends string>(defaults: Record<K, string>): [Record<K, string>, (some: Partial<Record<K, string>>) => void] {
  const [params, setParams] = useSearchParams();
  const names = Object.keys(defaults) as K[];
  const chosen = Object.fromEntries(names.map((name) => [name, params.get(name) ?? defaults[name]])) as Record<K, string>;
  const choose = (some: Partial<Record<K, string>>) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        for (const [name, value] of Object.entries(some) as [K, string][])
          if (value === defaults[name]) next.delete(name);
          else next.set(name, value);
        return next;
      },
      { replace: true, preventScrollReset: true },
    );
  return [chosen, choose];
}
