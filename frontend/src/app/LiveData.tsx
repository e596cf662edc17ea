// One stream for the project shown; what it tells makes queries old, at most twice a second.

import { useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useState, type ReactNode } from "react";
import { follow, type Connection, type LiveEvent } from "@/api/live";
import { invalidate } from "@/queries";

const PAUSE_MS = 500;
const ConnectionContext = createContext<Connection>("reconnecting");

export function useConnection(): Connection {
  return useContext(ConnectionContext);
}

export function LiveData({ project, children }: { project: string; children: ReactNode }) {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>("reconnecting");
  useEffect(() => {
    if (project === "") return;
    let heard: LiveEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pass = () => {
      timer = undefined;
      const events = heard;
      heard = [];
      invalidate(client, project, events);
    };
    const stop = follow(project, (told) => {
      if ("connection" in told) setConnection(told.connection);
      else if ("gap" in told) void client.invalidateQueries();
      else {
        heard.push(told.event);
        timer ??= setTimeout(pass, PAUSE_MS);
      }
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [client, project]);
  return <ConnectionContext value={connection}>{children}</ConnectionContext>;
}
