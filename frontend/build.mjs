// The build so far: what is in public/ goes to dist/ as it is. Pages follow; what serves them is settled.
import { cp, rm } from "node:fs/promises";

await rm("dist", { recursive: true, force: true });
await cp("public", "dist", { recursive: true });
