import "@mantine/core/styles.css";
import { createRoot } from "react-dom/client";
import { App } from "@/app/App";
import { startLanguages } from "@/i18n";

void startLanguages().then(() => createRoot(document.getElementById("root")!).render(<App />));
