import { createHmac } from 'node:crypto'
import { type HeaderList, headerOf } from '../../http/http-message.ts'

/** Header of a request inside a seal: whose earlier words the engine may have kept (docs/protocol-extensions.md, A question). It never travels readable. */
export const cacheScopeHeader = 'X-Cocoon-Cache-Scope'

/**
 * The scope of a conversation at one worker, 64 hex letters. Each worker is told another one, so that none can ask another worker's engine for what the
 * conversation went on with there.
 * @param secret 32 random bytes of the client, which never leave it
 * @param conversation what names it at the client
 * @param keyId id of the worker's key, 32 bytes
 */
export function cacheScope(secret: Uint8Array, conversation: string, keyId: Uint8Array): string {
  return createHmac('sha256', secret).update(keyId).update(conversation).digest('hex')
}

/** The scope that an opened request names; undefined where it names none, or one that could be guessed. */
export function cacheScopeIn(headers: HeaderList): string | undefined {
  const scope = headerOf(headers, cacheScopeHeader)
  return scope !== undefined && /^[0-9a-f]{64}$/.test(scope) ? scope : undefined
}
