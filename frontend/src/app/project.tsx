// Which project the pages show: in the address (`?project=`), else the last one, else the first the reader is in.

import { createContext, useContext } from "react";

const KEPT = "fubini.project";

export const ProjectContext = createContext("");

export function useProject(): string {
  return useContext(ProjectContext);
}

export function keptProject(): string {
  return localStorage.getItem(KEPT) ?? "";
}

export function keepProject(slug: string): void {
  localStorage.setItem(KEPT, slug);
}
