// Two languages with the same keys (a test says so); the reader's choice is kept in the browser.

import i18n from "i18next";
import LanguageDetector from "i18next-browser-languagedetector";
import { initReactI18next } from "react-i18next";
import en from "./en.json";
import zh from "./zh.json";

export const LANGUAGES = { en: "English", zh: "中文" } as const;

void i18n
  .use(LanguageDetector)
  .use(initReactI18next)
  .init({
    resources: { en: { translation: en }, zh: { translation: zh } },
    fallbackLng: "en",
    supportedLngs: ["en", "zh"],
    load: "languageOnly",
    interpolation: { escapeValue: false }, // React escapes
    detection: { order: ["localStorage", "navigator"], caches: ["localStorage"], lookupLocalStorage: "fubini.language" },
  });

const tell = (language: string) => {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
};
tell(i18n.language);
i18n.on("languageChanged", tell);

export default i18n;
