// The files of a drop, folders opened to the bottom; or of an input, with the folder's name where it was one.

type Found = { path: string; file: File };
const DEEPEST = 64;

export async function filesOfDrop(data: DataTransfer): Promise<Found[]> {
  // Entries must be asked for at once: after the first wait the list is empty.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const loose = [...data.files];
  if (entries.every((entry) => entry === null)) return loose.map((file) => ({ path: file.name, file }));
  const found: Found[] = [];
  for (const entry of entries) if (entry) await open(entry, "", found, 0);
  return found;
}

async function open(entry: FileSystemEntry, above: string, found: Found[], depth: number): Promise<void> {
  const path = above + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    found.push({ path, file });
  } else if (depth < DEEPEST) {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed)); // a hundred at once
      if (some.length === 0) return;
      for (const inner of some) await open(inner, `${path}/`, found, depth + 1);
    }
  }
}

export function filesOfInput(list: FileList | null): Found[] {
  return [...(list ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}
