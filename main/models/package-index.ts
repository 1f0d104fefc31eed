import { z } from 'zod'
import { asError } from '../base/failure.ts'

/** pip's own default. */
export const defaultIndex = 'https://pypi.org/simple'
/** A page that lists the files of one package; larger ones are not read. */
const mostPageBytes = 8 * 1024 * 1024

export interface WheelQuery {
  readonly package: string
  readonly version: string
  readonly wheelSha256: string
  readonly signal: AbortSignal
  /** Longest wait for one page. Default 5 s. */
  readonly timeoutMs?: number
}

/** Where a wheel can be fetched. URL and headers may hold secrets of the user's: not for messages, logs or files. */
export interface WheelPlace {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** As the index states it, in hex. */
  readonly sha256: string | undefined
}

/**
 * Asks package indexes, in order, where the wheel of one version lies (simple repository API: JSON of PEP 691 or HTML of PEP 503).
 * Addresses with user name and password are used with HTTP Basic, for files on the index's own origin too. Throws an `Error` whose
 * message is one of a few fixed sentences, because index addresses often hold passwords or tokens; undefined when no index has it.
 */
export async function findWheel(indexes: readonly string[], query: WheelQuery): Promise<WheelPlace | undefined> {
  let problem: Error | undefined
  for (const index of indexes) {
    try {
      const place = await askIndex(index, query)
      if (place !== undefined) return place
    } catch (error) {
      query.signal.throwIfAborted()
      problem ??= asError(error)
    }
  }
  if (problem !== undefined) throw problem
  return undefined
}

async function askIndex(index: string, query: WheelQuery): Promise<WheelPlace | undefined> {
  const address = URL.parse(index)
  if (address === null || !isHttp(address)) throw new Error('the index has no http address')
  const login = takeLogin(address)
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/${normal(query.package, '-')}/`
  const page = await readPage(address, login, query)
  if (page === undefined) return undefined
  const listed = page.json ? filesOfJson(page.text) : filesOfHtml(page.text)
  for (const { href, sha256 } of listed) {
    const url = URL.parse(href, page.base)
    if (url === null || !isHttp(url) || !isWheelOf(url, query)) continue
    const stated = sha256 ?? /^#sha256=([0-9a-f]{64})$/.exec(url.hash)?.[1]
    url.hash = ''
    const own = takeLogin(url) ?? (url.origin === address.origin ? login : undefined)
    return { url: url.href, headers: own === undefined ? {} : { Authorization: own }, sha256: stated }
  }
  return undefined
}

interface Page {
  readonly json: boolean
  readonly text: string
  /** What relative addresses are relative to. */
  readonly base: string
}

/** Undefined when the index does not know the package. */
async function readPage(address: URL, login: string | undefined, query: WheelQuery): Promise<Page | undefined> {
  const signal = AbortSignal.any([query.signal, AbortSignal.timeout(query.timeoutMs ?? 5000)])
  let response: Response
  let text = ''
  try {
    const accept = 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.6, text/html;q=0.5'
    response = await fetch(address, { headers: { Accept: accept, ...(login && { Authorization: login }) }, signal })
    if (response.status === 404) {
      await response.body?.cancel()
      return undefined
    }
    if (!response.ok) {
      await response.body?.cancel()
      throw new Refused(response.status)
    }
    text = await limitedText(response)
  } catch (error) {
    query.signal.throwIfAborted()
    if (error instanceof Refused) throw new Error(`the index answered with error ${error.status}`)
    if (error instanceof TooLong) throw new Error('the page of the index is too long')
    throw new Error(`the index could not be read (${systemCode(error)})`)
  }
  const type = response.headers.get('content-type') ?? ''
  return { json: /^application\/(vnd\.pypi\.simple\.v1\+)?json\b/i.test(type), text, base: response.url }
}

async function limitedText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > mostPageBytes) throw new TooLong()
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

interface ListedFile {
  readonly href: string
  readonly sha256: string | undefined
}

const jsonPage = z.object({
  files: z.array(z.object({ url: z.string(), hashes: z.record(z.string(), z.string()).optional() })),
})

function filesOfJson(text: string): ListedFile[] {
  let page: z.infer<typeof jsonPage>
  try {
    page = jsonPage.parse(JSON.parse(text))
  } catch {
    throw new Error('the page of the index is not what it should be')
  }
  return page.files.map(({ url, hashes }) => ({ href: url, sha256: hashes?.sha256?.toLowerCase() }))
}

/** The links of a page. No `<` or `>` inside: so a hostile page costs no more than one pass over it. */
const link = /<a\s[^<>]*?\bhref\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')/gi

function filesOfHtml(text: string): ListedFile[] {
  return [...text.matchAll(link)].map(([, double, single]) => ({ href: unescapeHtml(double ?? single ?? ''), sha256: undefined }))
}

const entities: Readonly<Record<string, string>> = { amp: '&', quot: '"', '#39': "'", '#x27': "'", '#38': '&', '#x26': '&' }

function unescapeHtml(text: string): string {
  return text.trim().replaceAll(/&(#?\w+);/g, (whole, name: string) => entities[name.toLowerCase()] ?? whole)
}

/** A wheel for every platform, of exactly this package and version. */
function isWheelOf(url: URL, query: WheelQuery): boolean {
  let name: string
  try {
    name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '')
  } catch {
    return false
  }
  const [, distribution, version] = /^([^-]+)-([^-]+)-(?:py2\.)?py3-none-any\.whl$/i.exec(name) ?? []
  return distribution !== undefined && normal(distribution, '_') === normal(query.package, '_') && version === query.version
}

function normal(name: string, between: '-' | '_'): string {
  return name.replaceAll(/[-_.]+/g, between).toLowerCase()
}

function isHttp(url: URL): boolean {
  return url.protocol === 'http:' || url.protocol === 'https:'
}

/** Takes user name and password out of an address; returns them as the value of the `Authorization` header. */
function takeLogin(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined
  const login = [url.username, url.password].map(plain).join(':')
  url.username = ''
  url.password = ''
  return `Basic ${Buffer.from(login).toString('base64')}`
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The code of the system's or TLS's error, e.g. `ECONNREFUSED`: the messages name hosts and addresses, the codes do not. */
export function systemCode(thrown: unknown): string {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    if (error.name === 'TimeoutError') return 'no answer in time'
    if ('code' in error && typeof error.code === 'string' && /^[A-Z0-9_]+$/.test(error.code)) return error.code
  }
  return 'connection failed'
}

class Refused extends Error {
  readonly status: number
  constructor(status: number) {
    super()
    this.status = status
  }
}

class TooLong extends Error {}
