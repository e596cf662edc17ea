// Every dialog: it takes the focus when it opens and gives it back to what opened it, also where it is made already open
// and taken away whole, which Mantine's own does not see.

import { Modal, type ModalProps } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

const SETTLED_MS = 20; // whoever closes it may move the focus first; then it stays there

export function Dialog({ opened, ...props }: ModalProps) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (!opened) return;
    const opener = document.activeElement;
    setShown(true);
    return () => {
      setShown(false);
      const left = document.activeElement;
      setTimeout(() => {
        const now = document.activeElement;
        const lost = now === null || now === document.body || now === left;
        if (lost && opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
      }, SETTLED_MS);
    };
  }, [opened]);
  return <Modal centered closeButtonProps={{ "aria-label": t("app.close") }} {...props} opened={shown} returnFocus={false} />;
}
