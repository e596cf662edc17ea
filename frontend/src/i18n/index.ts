// Two languages with the same keys (a test says so); the choice is kept in the browser.
// `base` is fetched at the start, every other file of a language when the first page opens that names it:
// `useTranslation(["money", "base"])`, then `t("spend.title")` or `t("base:app.close")`.

import i18n, { type BackendModule } from "i18next";
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

const KEPT = "fubini.language";

/** The language chosen before, else the first of the browser's that there is. */
function preferred(): string {
  const asked = [localStorage.getItem(KEPT), ...navigator.languages].map((language) => (language ?? "").slice(0, 2));
  return asked.find((language) => language in LANGUAGES) ?? "en";
}

/** Resolves when the reader's language is at hand. */
export async function startLanguages(): Promise<void> {
  const tell = (language: string) => {
    localStorage.setItem(KEPT, language);
    document.documentElement.lang = language.startsWith("zh") ? "zh-Hans" : "en";
  };
  i18n.on("languageChanged", tell);
  await i18n
    .use(files)
    .use(initReactI18next)
    .init({
      lng: preferred(),
      fallbackLng: "en",
      supportedLngs: ["en", "zh"],
      load: "languageOnly",
      ns: ["base"],
      defaultNS: "base",
      interpolation: { escapeValue: false }, // React escapes
      react: { useSuspense: true },
    });
  tell(i18n.language);
}
