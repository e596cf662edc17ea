// Two languages with the same keys (a test says so), each fetched when it is first shown; the choice is kept in the browser.

import i18n, { type BackendModule } from "i18next";
import LanguageDetector from "i18next-browser-languagedetector";
import { initReactI18next } from "react-i18next";

export const LANGUAGES = { en: "English", zh: "中文" } as const;

const files: BackendModule = {
  type: "backend",
  init: () => undefined,
  read: (language, _namespace, done) => {
    const file = language === "zh" ? import("./zh.json") : import("./en.json");
    file.then(
      (found) => done(null, found.default),
      (error: Error) => done(error, false),
    );
  },
};

/** Resolves when the reader's language is at hand. */
export async function startLanguages(): Promise<void> {
  const tell = (language: string) => {
    document.documentElement.lang = language.startsWith("zh") ? "zh-Hans" : "en";
  };
  i18n.on("languageChanged", tell);
  await i18n
    .use(files)
    .use(LanguageDetector)
    .use(initReactI18next)
    .init({
      fallbackLng: "en",
      supportedLngs: ["en", "zh"],
      load: "languageOnly",
      interpolation: { escapeValue: false }, // React escapes
      react: { useSuspense: false },
      detection: { order: ["localStorage", "navigator"], caches: ["localStorage"], lookupLocalStorage: "fubini.language" },
    });
  tell(i18n.language);
}
