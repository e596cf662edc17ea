import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { FileTable } from "@/features/artifacts/FileTable";
import { useVersionFiles } from "@/queries/data";

/** A version's files. */
export function Files({ id, number, name }: { id: string; number: number; name: string }) {
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text, 250);
  const files = useVersionFiles(id, number, search);
  const address = (path: string) => `/api/v1/datasets/${id}/versions/${number}/content?path=${encodeURIComponent(path)}`;
  return <FileTable key={number} files={files} search={text} onSearch={setText} address={address} name={name} />;
}
