// Runs before the first paint, as a file because the page allows no inline script. Only a hint: the core's settings follow.
;(() => {
  const root = document.documentElement
  let theme = null
  let language = null
  try {
    theme = localStorage.getItem('cocoon.theme')
    language = localStorage.getItem('cocoon.language')
  } catch {
    theme = null
  }
  const dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  root.dataset.theme = dark ? 'dark' : 'light'
  root.lang = language === 'ru' || language === 'en' ? language : navigator.language.startsWith('ru') ? 'ru' : 'en'
})()
