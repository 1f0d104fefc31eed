/** A request to an OpenAI-compatible engine, as `http.request` carries it (protocol 20 §4.3). */
export interface BackendRequest {
  readonly method: string
  /** Path only, e.g. `/v1/chat/completions`. */
  readonly path: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Uint8Array
  /** Whose request it is, for the prefix cache (see `GenerationOptions`); nobody's without. For the app's own engine alone, others are not told. */
  readonly cacheScope?: string
}

export interface BackendResponse {
  readonly status: number
  readonly reason: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /**
   * Chunks as they are generated. With `stream: true` these are SSE events ending with one that carries `usage` and `[DONE]`;
   * after an abort the body ends early: with the usage so far, or, from engines that do not tell it then, without; the worker counts what it
   * saw in that case (docs/protocol-extensions.md).
   */
  readonly body: AsyncIterable<Uint8Array>
}

/** What a worker serves with and the gateway answers from: the built-in engine, or any OpenAI-compatible URL. */
export interface OpenAiBackend {
  /** Base name of the served model, as proxies index it (protocol 40 §4). */
  readonly model: string
  /**
   * Known to keep the prompts of those who ask it apart, as this app's engine does. Of any other the number of cached tokens may tell what others asked:
   * a worker says 0 to the network then, and bills so.
   */
  readonly keepsPromptsApart?: boolean
  healthy(): boolean
  handle(request: BackendRequest, signal: AbortSignal): Promise<BackendResponse>
}
