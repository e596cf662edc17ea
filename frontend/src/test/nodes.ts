import type { GraphNode } from "@/features/graph/layout";

/** A node for tests; by default a succeeded leaf without a task. */
export function node(id: string, parents: string[] = [], more: Partial<GraphNode> = {}): GraphNode {
  return {
    id, name: id, type: "Pod", phase: "Succeeded", template: "t", boundary: "", parents, message: "", started_at_ms: 0,
    finished_at_ms: 1, task: "", task_state: "", queued_at_ms: null, waits_for: "", attempts: 0, site: "", pool: "",
    simulated: false, leased_at_ms: null, running_at_ms: null, ended_at_ms: null, charged_micros: 0, ...more,
  };
}
