import { useEffect, useState } from 'react'
import type { Settings } from '../../../preload/api/system.ts'
import { useStream } from '../api/use-stream.ts'
import type { Language } from '../format/number.ts'

const dark = matchMedia('(prefers-color-scheme: dark)')

/** Kept for the next first paint only; the core's settings decide. */
function remember(name: 'theme' | 'language', value: string): void {
  try {
    localStorage.setItem(`cocoon.${name}`, value)
  } catch {
    // Without storage the first paint follows the system, and the settings follow a moment later.
    return
  }
}

/** Keeps `data-theme` on the page as the settings say, and as the system changes. */
function useTheme(theme: Settings['theme'] | undefined): void {
  useEffect(() => {
    if (!theme) return
    const apply = (): void => {
      const isDark = theme === 'dark' || (theme === 'system' && dark.matches)
      document.documentElement.dataset.theme = isDark ? 'dark' : 'light'
    }
    apply()
    remember('theme', theme)
    dark.addEventListener('change', apply)
    return () => dark.removeEventListener('change', apply)
  }, [theme])
}

/** The language of the texts: as set, else the system's if the app speaks it, else English. */
export function useAppearance(): Language {
  const { value } = useStream('settings', {})
  const [first] = useState<Language>(() => (document.documentElement.lang === 'ru' ? 'ru' : 'en'))
  useTheme(value?.theme)
  const system: Language = navigator.language.toLowerCase().startsWith('ru') ? 'ru' : 'en'
  const language = value ? (value.language === 'system' ? system : value.language) : first
  useEffect(() => {
    document.documentElement.lang = language
    if (value) remember('language', value.language)
  }, [language, value])
  return language
}
