import { describe, expect, it } from "vitest";
import { node } from "@/test/nodes";
import { timeline } from "./layout";

const leaf = (id: string, queued: number, leased: number | null, ran: number | null, ended: number | null, site = "lab") =>
  node(id, [], { task: id, queued_at_ms: queued, leased_at_ms: leased, running_at_ms: ran, ended_at_ms: ended, finished_at_ms: ended, site });

describe("timeline", () => {
  it("is empty without leaves", () => {
    expect(timeline([node("a")], 5)).toMatchObject({ rows: 0, bars: [], lanes: [] });
  });
  it("packs steps that did not overlap into one row, and those that did into two", () => {
    const one = timeline([leaf("a", 0, 1, 2, 10), leaf("b", 0, 10, 11, 20)], 100, false);
    expect(one.rows).toBe(1);
    const two = timeline([leaf("a", 0, 1, 2, 10), leaf("b", 0, 5, 6, 20)], 100, false);
    expect(two.rows).toBe(2);
  });
  it("gives each site a lane and what is not placed yet the last one", () => {
    const found = timeline([leaf("w", 0, null, null, null, ""), leaf("b", 0, 1, 2, 3, "b"), leaf("a", 0, 1, 2, 3, "a")], 50);
    expect(found.lanes.map((lane) => lane.site)).toEqual(["a", "b", ""]);
    expect(found.bars.find((bar) => bar.node.id === "w")!.segments).toEqual([{ kind: "waiting", fromMs: 0, toMs: 50 }]);
  });
  it("splits a step into waiting, staging and running", () => {
    expect(timeline([leaf("a", 0, 1, 4, 9)], 50).bars[0]!.segments).toEqual([
      { kind: "waiting", fromMs: 0, toMs: 1 },
      { kind: "staging", fromMs: 1, toMs: 4 },
      { kind: "running", fromMs: 4, toMs: 9 },
    ]);
  });
  it("steps that waited together have rows of their own while they are few; of many, only the wait their row had room for is drawn", () => {
    const both = [leaf("a", 0, 1, 1, 10), leaf("b", 0, 12, 12, 20)];
    expect(timeline(both, 100, true)).toMatchObject({ rows: 2 });
    const packed = timeline(both, 100, false);
    expect(packed.rows).toBe(1);
    expect(packed.bars[1]!.segments[0]).toEqual({ kind: "waiting", fromMs: 10, toMs: 12 });
  });
  it("a bar has a part whatever the clocks say: a lease in the browser's future, an end before the start", () => {
    for (const one of [leaf("a", 0, 90, null, null), leaf("a", 60, null, null, null), leaf("a", 10, 20, 30, 25), leaf("a", 5, 5, 5, 5)])
      for (const whole of [true, false]) {
        const found = timeline([one], 50, whole).bars[0]!.segments;
        expect(found.length).toBeGreaterThan(0);
        expect(found.every((s) => s.toMs >= s.fromMs)).toBe(true);
      }
  });
  it("traces the critical path back from the step that ended last", () => {
    const found = timeline([leaf("a", 0, 0, 0, 10), leaf("short", 0, 0, 0, 3), leaf("b", 10, 10, 10, 30), leaf("c", 30, 30, 30, 31)], 50);
    expect(found.bars.filter((bar) => bar.critical).map((bar) => bar.node.id).sort()).toEqual(["a", "b", "c"]);
  });
});
