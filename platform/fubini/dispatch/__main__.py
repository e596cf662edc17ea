"""`python -m fubini.dispatch`: the scheduling loop as a process of its own."""

import os


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
    import django

    django.setup()
    from fubini.dispatch.loop import Loop

    Loop().run()


if __name__ == "__main__":
    main()
