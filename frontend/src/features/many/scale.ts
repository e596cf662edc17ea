// Where numbers stand on an axis. Pure.

export interface Scale {
  at: (value: number) => number;
  ticks: number[];
}

/** A linear axis over what is there, with round ticks; `to` may be smaller than `from` (an axis upwards). */
export function scale(values: number[], from: number, to: number, most = 6): Scale {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = high - low || Math.abs(high) || 1;
  const rough = span / Math.max(1, most - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough)!;
  const first = Math.floor(low / step) * step;
  const last = Math.ceil(high / step) * step === first ? first + step : Math.ceil(high / step) * step;
  const ticks = [];
  for (let i = 0; first + i * step <= last + step / 1e6 && i < 50; i++) ticks.push(Number((first + i * step).toPrecision(12)));
  return { at: (value) => from + ((value - first) / (last - first)) * (to - from), ticks };
}
