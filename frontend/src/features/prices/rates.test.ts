import { expect, test } from "vitest";
import { dearer, devicesOf, percent, ratesOf, typedOf } from "./rates";

test("rates come back as they were typed", () => {
  const rates = { core_hour_micros: 20_000, memory_gib_hour_micros: 0, start_micros: 1, egress_gib_micros: 1_234_500_000, device_hour_micros: { "nvidia.com/gpu": 1_800_000, fpga: 5 } };
  expect(ratesOf(typedOf(rates))).toEqual({ rates, wrong: [] });
});

test("what is no amount is named", () => {
  expect(ratesOf({ ...typedOf(null), start_micros: "a lot", devices: "gpu" }).wrong).toEqual(["start_micros", "devices"]);
  expect(devicesOf("gpu=1; gpu=2")).toBeNull();
  expect(devicesOf(" ; ")).toEqual({});
});

test("a change is told in percent, and from nothing not at all", () => {
  expect([percent(125), percent(-1000), percent(0), percent(null)]).toEqual(["+12.5 %", "-100 %", "0 %", "–"]);
  expect([dearer(200, 300), dearer(0, 5)]).toEqual([500, null]);
});
