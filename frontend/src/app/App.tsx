// What is around every page: theme, queries, who is signed in, which project; and the addresses there are.

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import i18n from "i18next";
import { lazy } from "react";
import { BrowserRouter, Outlet, useRoutes, type RouteObject } from "react-router";
import { asProblem, isTransient } from "@/api/problem";
import { Boundary } from "./Boundary";
import { Shell } from "./Shell";
import { theme, variables } from "./theme";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // What passes by itself is asked again, ever more slowly; what is wrong is said at once.
      retry: (count, error) => isTransient(error) && count < 8,
      // A server that asks for a pause gets it.
      retryDelay: (count, error) =>
        Math.max((asProblem(error).retryAfterS ?? 0) * 1000, Math.min(15_000, 500 * 2 ** count) * (0.75 + Math.random() / 2)),
      refetchOnWindowFocus: true,
      staleTime: 5_000,
    },
  },
});

// What was read before a change of language has sentences of the server's in the old one.
i18n.on("languageChanged", () => void client.invalidateQueries());

const page = (load: () => Promise<Record<string, React.ComponentType>>, name: string) =>
  lazy(async () => ({ default: (await load())[name]! }));

const Home = page(() => import("@/pages/Home"), "Home");
const Runs = page(() => import("@/pages/Runs"), "Runs");
const RunsTable = page(() => import("@/pages/RunsTable"), "RunsTable");
const Compare = page(() => import("@/pages/Compare"), "Compare");
const Run = page(() => import("@/pages/Run"), "Run");
const Launch = page(() => import("@/pages/Launch"), "Launch");
const Pipelines = page(() => import("@/pages/Pipelines"), "Pipelines");
const Pipeline = page(() => import("@/pages/Pipeline"), "Pipeline");
const Data = page(() => import("@/pages/Data"), "Data");
const Dataset = page(() => import("@/pages/Dataset"), "Dataset");
const Pools = page(() => import("@/pages/Pools"), "Pools");
const Money = page(() => import("@/pages/Money"), "Money");
const Notices = page(() => import("@/pages/Notices"), "Notices");
const Project = page(() => import("@/pages/Project"), "Project");
const Schedules = page(() => import("@/pages/Schedules"), "Schedules");
const Schedule = page(() => import("@/pages/Schedule"), "Schedule");
const ProjectPrices = page(() => import("@/pages/ProjectPrices"), "ProjectPrices");
const Secrets = page(() => import("@/pages/Secrets"), "Secrets");
const Locks = page(() => import("@/pages/Locks"), "Locks");
const Account = page(() => import("@/pages/Account"), "Account");
const Admin = page(() => import("@/pages/Admin"), "Admin");
const Share = page(() => import("@/pages/Share"), "Share");
const NotFound = page(() => import("@/pages/NotFound"), "NotFound");

// The plain router: the pages fetch by queries, so the data router's loaders and actions (16 kB of the entry) have no use.
const ROUTES: RouteObject[] = [
  {
    element: (
      <Boundary>
        <Shell />
      </Boundary>
    ),
    children: [
      {
        element: (
          <Boundary>
            <Outlet />
          </Boundary>
        ),
        children: [
          { path: "/", element: <Home /> },
          { path: "/runs", element: <Runs /> },
          { path: "/runs/table", element: <RunsTable /> },
          { path: "/runs/compare", element: <Compare /> },
          { path: "/runs/:id", element: <Run /> },
          { path: "/runs/:id/:tab", element: <Run /> },
          { path: "/launch", element: <Launch /> },
          { path: "/pipelines", element: <Pipelines /> },
          { path: "/pipelines/:id", element: <Pipeline /> },
          { path: "/data", element: <Data /> },
          { path: "/data/:id", element: <Dataset /> },
          { path: "/pools", element: <Pools /> },
          { path: "/money", element: <Money /> },
          { path: "/money/:tab", element: <Money /> },
          { path: "/notices", element: <Notices /> },
          { path: "/project", element: <Project /> },
          { path: "/project/schedules", element: <Schedules /> },
          { path: "/project/schedules/:id", element: <Schedule /> },
          { path: "/project/prices", element: <ProjectPrices /> },
          { path: "/project/secrets", element: <Secrets /> },
          { path: "/project/locks", element: <Locks /> },
          { path: "/account", element: <Account /> },
          { path: "/admin", element: <Admin /> },
          { path: "/admin/:tab", element: <Admin /> },
          { path: "/s/:code", element: <Share /> },
          { path: "*", element: <NotFound /> },
        ],
      },
    ],
  },
];

function Pages() {
  return useRoutes(ROUTES);
}

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <BrowserRouter>
          <Pages />
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
}
