// Two languages with the same keys (a test says so); the choice is kept in the browser.
// `base` is fetched at the start, every other file of a language when the first page opens that names it:
// `useTranslation(["money", "base"])`, then `t("spend.title")` or `t("base:app.close")`.

import i18n, { type BackendModule } from "i18next";
import LanguageDetector from "i18next-browser-languagedetector";
import { initReactI18next } from "react-i18next";

type Texts = { [key: string]: string | Texts };

export const LANGUAGES = { en: "English", zh: "中文" } as const;

const texts = import.meta.glob<Texts>("./*/*.json", { import: "default" });

const files: BackendModule = {
  type: "backend",
  init: () => undefined,
  read: (language, namespace, done) => {
    const load = texts[`./${language}/${namespace}.json`];
    if (!load) return done(new Error(`no texts for ${language}/${namespace}`), false);
    load().then(
      (found) => done(null, found),
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
      ns: ["base"],
      defaultNS: "base",
      interpolation: { escapeValue: false }, // React escapes
      react: { useSuspense: true },
      detection: { order: ["localStorage", "navigator"], caches: ["localStorage"], lookupLocalStorage: "fubini.language" },
    });
  tell(i18n.language);
}
