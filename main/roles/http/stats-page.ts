const escaped: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const safe = (text: string): string => text.replaceAll(/[&<>"]/g, (letter) => escaped[letter] ?? letter)

/** The data of `/jsonstats` for a person: nested tables, nothing that runs, nothing that is loaded. */
export function statsPage(title: string, data: Readonly<Record<string, unknown>>): string {
  const name = safe(title)
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${name}</title>
<style>body{font:14px/1.4 system-ui;margin:1rem}table{border-collapse:collapse;margin:.2rem 0}td,th{border:1px solid #bbb;padding:.15rem .5rem;text-align:left;vertical-align:top}</style>
</head><body><h1>${name}</h1>${table(data)}</body></html>
`
}

function table(data: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(data).map(([key, value]) => `<tr><th>${safe(key)}</th><td>${cell(value)}</td></tr>`)
  return `<table>${rows.join('')}</table>`
}

function cell(value: unknown): string {
  if (Array.isArray(value)) return value.every(isPlain) ? safe(value.map(text).join(' · ')) : value.map(cell).join('')
  if (typeof value === 'object' && value !== null) return table({ ...value })
  return safe(text(value))
}

const isPlain = (value: unknown): boolean => typeof value !== 'object' || value === null
const text = (value: unknown): string =>
  typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(3) : String(value)
