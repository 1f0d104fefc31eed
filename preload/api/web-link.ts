/** The address of a web page, and nothing else: no file, no other program's scheme, no name or password in it. Null for anything else. */
export function webLink(text: string): URL | null {
  try {
    const url = new URL(text)
    const isWeb = url.protocol === 'https:' || url.protocol === 'http:'
    return isWeb && url.username === '' && url.password === '' ? url : null
  } catch {
    return null
  }
}
