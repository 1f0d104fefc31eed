/** Below this width the list of chats lies over the conversation. */
export const wideScreen = matchMedia('(width >= 1100px)')

export const isNarrow = (): boolean => !wideScreen.matches
