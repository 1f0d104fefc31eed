import type { JsonValue } from './json-text.ts'

/** Fields of a part that hold words, whatever they begin with. */
const words: ReadonlySet<string> = new Set(['content', 'text', 'refusal', 'filename', 'name'])

/**
 * Whether a picture stands in the request itself: every other one an engine would fetch, from wherever the request says, in the name of the computer
 * that it runs on.
 */
export const isPictureInside = (url: unknown): url is string =>
  typeof url === 'string' && /^data:image\/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]+$/.test(url)

/** Where the parts of messages name something that an engine might fetch, or open on its own computer; undefined where they name nothing. */
export function addressIn(messages: JsonValue | undefined): string | undefined {
  if (!Array.isArray(messages)) return undefined
  for (const [index, message] of messages.entries()) {
    const content = message instanceof Map ? message.get('content') : undefined
    if (content === undefined || typeof content === 'string') continue
    const found = addressOf('content', content, `messages[${index}].content`)
    if (found !== undefined) return found
  }
  return undefined
}

/** Fields that are not known are looked at too: some engines read pictures, sounds and films from fields of their own. */
function addressOf(name: string, value: JsonValue, path: string): string | undefined {
  if (typeof value === 'string') return isAddress(name, value) ? path : undefined
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      const found = addressOf(name, item, `${path}[${at}]`)
      if (found !== undefined) return found
    }
  }
  if (value instanceof Map) {
    for (const [key, item] of value) {
      const found = addressOf(key, item, `${path}.${key}`)
      if (found !== undefined) return found
    }
  }
  return undefined
}

function isAddress(name: string, text: string): boolean {
  if (/url$/i.test(name)) return !isPictureInside(text)
  return !words.has(name) && /^\s*(?!data:)[a-z][a-z0-9+.-]+:/i.test(text)
}
