/**
 * Steps that open a page of the menu Settings / Technical / Email.
 *
 * @param {String} menu XML id
 * @returns {Object[]}
 */
export function openTechnicalMenu(menu) {
    return [
        {
            content: "Open the menu of apps",
            trigger: ".o_navbar_apps_menu button",
            run: "click",
        },
        {
            content: "Open the settings",
            trigger: "[data-menu-xmlid='base.menu_administration']",
            run: "click",
        },
        {
            content: "Open the technical menu",
            trigger: "[data-menu-xmlid='base.menu_custom']",
            run: "click",
        },
        {
            content: "Open the page",
            trigger: `[data-menu-xmlid='${menu}']`,
            run: "click",
        },
    ];
}
