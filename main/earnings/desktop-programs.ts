/** Draw the desktop itself, on every computer with a screen. */
const desktop =
  /^(dwm|csrss|Xorg|X|Xwayland|gnome-shell|mutter.*|kwin_.*|plasmashell|cinnamon|xfwm4|compiz|sway|Hyprland|weston|WindowServer)$/i
/** Also by the names of their processes, and cut after 15 characters: Linux tells of AMD and Intel cards by no more. */
const browser =
  /^(chrome|chromium|chromium-browser|google-chrome.*|msedge|msedgewebview2|firefox|firefox-bin|firefox-esr|librewolf|brave|opera|vivaldi|safari|chromium-browse|Isolated Web Co|Web Content|RDD Process)$/i

/**
 * What kind of program a name says, as the driver writes it: with a folder or `.exe`, and with what it was called with. A program that is called like a
 * desktop is taken for one: that only costs it the pause.
 */
export function programKind(name: string): 'desktop' | 'browser' | 'other' {
  const base = (/([^\\/]*)$/.exec(name.split(' -')[0] ?? '')?.[1] ?? '').replace(/\.exe$/i, '')
  return desktop.test(base) ? 'desktop' : browser.test(base) ? 'browser' : 'other'
}
