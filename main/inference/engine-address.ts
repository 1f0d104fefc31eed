import { isIP } from 'node:net'
import { Failure } from '../base/failure.ts'

/** Where an external engine answers. */
export interface EngineAddress {
  /** Without a trailing `/v1` or slash, e.g. `http://127.0.0.1:8080`. */
  readonly url: URL
  /** Host with its port, for people. */
  readonly host: string
  /** Nothing that is sent there leaves this computer on its way; what the program there does with it is another matter. */
  readonly isLoopback: boolean
  readonly isEncrypted: boolean
}

/** Characters of an address as it is kept, with what had to be escaped in it. */
export const mostUrlLength = 500

/**
 * Reads the address of an OpenAI-compatible server, with or without `/v1` at its end.
 * @throws Failure `bad-url`
 */
export function engineAddress(text: string): EngineAddress {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '')
    throw badUrl('The address of the engine must begin with http:// or https://.')
  if (url.username !== '' || url.password !== '')
    throw badUrl('The address must hold no name or password. A key has a field of its own.')
  if (url.search !== '' || url.hash !== '') throw badUrl('The address must end before any ? or #.')
  const base = new URL(url)
  base.pathname = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
  if (base.href.length > mostUrlLength) throw badUrl('The address of the engine is too long.')
  return { url: base, host: base.host, isLoopback: isLoopback(base.hostname), isEncrypted: base.protocol === 'https:' }
}

/** By the address itself, or the one name that every system resolves to it. A name that only resolves there today is none. */
function isLoopback(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/g, '')
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
}

const badUrl = (message: string): Failure<'bad-url'> =>
  new Failure('bad-url', message, { advice: 'Example: http://127.0.0.1:8080/v1', words: { code: 'engine-bad-url' } })
